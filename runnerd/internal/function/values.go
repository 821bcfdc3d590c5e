package function

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/realm-mesh/realm/engine/meter"
)

// ArgumentError says that a call's arguments do not fit its function.
type ArgumentError struct{ Text string }

func (e *ArgumentError) Error() string { return e.Text }

// maxNumber is the longest text of a number, in bytes: the exact decimal form of
// any float64 fits.
const maxNumber = 1100

// encode reads the arguments of a call into the words that Wasm takes.
func encode(name string, sig meter.Signature, args []json.RawMessage) ([]uint64, error) {
	if len(args) != len(sig.Params) {
		return nil, &ArgumentError{fmt.Sprintf("%d arguments given, and the function is %.60s%s: give %d", len(args), name, sig, len(sig.Params))}
	}
	stack := make([]uint64, max(len(sig.Params), len(sig.Results)))
	for i, t := range sig.Params {
		v, err := parse(args[i], t)
		if err != nil {
			return nil, &ArgumentError{fmt.Sprintf("argument %d of %.60s%s: %v", i+1, name, sig, err)}
		}
		stack[i] = v
	}
	return stack, nil
}

// parse reads one argument: a JSON number, or a JSON string that holds one.
func parse(raw json.RawMessage, t meter.ValueType) (uint64, error) {
	text, quoted := string(raw), false
	if strings.HasPrefix(text, `"`) {
		quoted = true
		if err := json.Unmarshal(raw, &text); err != nil {
			return 0, fmt.Errorf("%.40s is no JSON", raw)
		}
	}
	if len(text) > maxNumber {
		return 0, fmt.Errorf("%.20s… is too long for a number", text)
	}
	switch t {
	case meter.I32:
		return parseInt(text, 32)
	case meter.I64:
		return parseInt(text, 64)
	default:
		return parseFloat(text, t, quoted)
	}
}

// parseInt reads an integer of -2^(bits-1) to 2^bits-1: signed or unsigned, as the
// program means it. Forms with a point or exponent count when they are integers
// that a float64 holds exactly.
func parseInt(text string, bits int) (uint64, error) {
	if !isNumber(text) {
		return 0, fmt.Errorf("%.40q is no number", text)
	}
	if strings.ContainsAny(text, ".eE") {
		f, err := strconv.ParseFloat(text, 64)
		if errors.Is(err, strconv.ErrSyntax) {
			return 0, fmt.Errorf("%.40q is no number", text)
		}
		const exact = 1 << 53
		if f != math.Trunc(f) || math.Abs(f) > exact {
			return 0, fmt.Errorf("%.40s is no integer, and the parameter is i%d: write it without point and exponent", text, bits)
		}
		text = strconv.FormatInt(int64(f), 10)
	}
	signed, err := strconv.ParseInt(text, 10, bits)
	switch {
	case err == nil && bits == 32:
		return uint64(uint32(signed)), nil
	case err == nil:
		return uint64(signed), nil
	case errors.Is(err, strconv.ErrSyntax):
		return 0, fmt.Errorf("%.40q is no number", text)
	}
	unsigned, err := strconv.ParseUint(strings.TrimPrefix(text, "+"), 10, bits)
	if err != nil {
		return 0, fmt.Errorf("%.40s does not fit i%d (-2^%d to 2^%d-1)", text, bits, bits-1, bits)
	}
	return unsigned, nil
}

// parseFloat reads the float nearest to text. In a string it may be "NaN" or
// infinite, too.
func parseFloat(text string, t meter.ValueType, quoted bool) (uint64, error) {
	size := 64
	if t == meter.F32 {
		size = 32
	}
	if !isNumber(text) && (!quoted || !isSpecial(text)) {
		return 0, fmt.Errorf("%.40q is no number", text)
	}
	f, err := strconv.ParseFloat(text, size)
	if errors.Is(err, strconv.ErrRange) {
		return 0, fmt.Errorf("%.40s does not fit %s", text, t)
	}
	if err != nil {
		return 0, fmt.Errorf("%.40q is no number", text)
	}
	if size == 32 {
		return uint64(math.Float32bits(float32(f))), nil
	}
	return math.Float64bits(f), nil
}

func isSpecial(text string) bool {
	switch text {
	case "NaN", "Inf", "+Inf", "-Inf", "Infinity", "+Infinity", "-Infinity":
		return true
	}
	return false
}

// isNumber reports whether text is a decimal number: no hexadecimal, no
// underscores, no words, which strconv would take. strconv checks the rest.
func isNumber(text string) bool {
	digits := false
	for _, c := range []byte(text) {
		switch {
		case c >= '0' && c <= '9':
			digits = true
		case !strings.ContainsRune("+-.eE", rune(c)):
			return false
		}
	}
	return digits
}

// decode writes the results of a call as JSON: null for none, an array for several.
func decode(sig meter.Signature, stack []uint64) json.RawMessage {
	texts := make([]string, len(sig.Results))
	for i, t := range sig.Results {
		texts[i] = format(stack[i], t)
	}
	switch len(texts) {
	case 0:
		return json.RawMessage("null")
	case 1:
		return json.RawMessage(texts[0])
	}
	return json.RawMessage("[" + strings.Join(texts, ",") + "]")
}

func format(v uint64, t meter.ValueType) string {
	switch t {
	case meter.I32:
		return strconv.FormatInt(int64(int32(v)), 10)
	case meter.I64:
		return strconv.FormatInt(int64(v), 10)
	case meter.F32:
		return formatFloat(float64(math.Float32frombits(uint32(v))), 32)
	default:
		return formatFloat(math.Float64frombits(v), 64)
	}
}

// formatFloat is as short as reads back the same; very large and very small ones
// with an exponent, as in JavaScript.
func formatFloat(f float64, size int) string {
	switch {
	case math.IsNaN(f):
		return `"NaN"`
	case math.IsInf(f, 1):
		return `"+Inf"`
	case math.IsInf(f, -1):
		return `"-Inf"`
	}
	form := byte('f')
	if a := math.Abs(f); a != 0 && (a < 1e-6 || a >= 1e21) {
		form = 'e'
	}
	return strconv.FormatFloat(f, form, -1, size)
}
