package valid

import (
	"regexp"
	"strings"
)

const (
	labelRule   = `(?:[a-z][0-9a-z]*|[A-Z][0-9A-Z]*)(?:-(?:[0-9a-z]+|[0-9A-Z]+))*`
	wordsRule   = `[a-z][0-9a-z]*(?:-[0-9a-z]+)*`
	numberRule  = `(?:0|[1-9][0-9]*)`
	idRule      = `(?:0|[1-9][0-9]*|[0-9]*[A-Za-z-][0-9A-Za-z-]*)`
	semverRule  = numberRule + `\.` + numberRule + `\.` + numberRule + `(?:-` + idRule + `(?:\.` + idRule + `)*)?(?:\+[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?`
	hashRule    = `sha(?:256|384|512)-[0-9A-Za-z+/]+={0,2}(?:\?[!-~]*)?`
	hashesRule  = `integrity=<\s*` + hashRule + `(?:\s+` + hashRule + `)*\s*>`
	packageRule = wordsRule + `:` + wordsRule + `(?:/` + labelRule + `)?`
	nestedRule  = wordsRule + `(?::` + wordsRule + `){2,}(?:/` + labelRule + `)*|` + wordsRule + `:` + wordsRule + `(?:/` + labelRule + `){2,}`
	rangeRule   = `(?:\*|\{(?:>=` + semverRule + `|<` + semverRule + `|>=` + semverRule + ` <` + semverRule + `)\})`
)

// The grammar of names (component model, "Import and Export Definitions"), and of those of
// implementations, which only imports have. Nested are names of packages in packages: they came
// after WASI 0.2.
var (
	label      = regexp.MustCompile(`^` + labelRule + `$`)
	plain      = regexp.MustCompile(`^(?:(` + labelRule + `)|\[constructor\](` + labelRule + `)|\[(method|static)\](` + labelRule + `)\.(` + labelRule + `))$`)
	iface      = regexp.MustCompile(`^` + wordsRule + `:` + wordsRule + `/` + labelRule + `(?:@(.*))?$`)
	nested     = regexp.MustCompile(`^(?:(?:un)?locked-dep=<)?(?:` + nestedRule + `)(?:[@>].*)?$`)
	semver     = regexp.MustCompile(`^` + semverRule + `$`)
	canonical  = regexp.MustCompile(`^(?:[1-9][0-9]*|0\.[1-9][0-9]*|0\.0\.[1-9][0-9]*|0\.0\.0)$`)
	locked     = regexp.MustCompile(`^locked-dep=<` + packageRule + `(?:@` + semverRule + `)?>(?:,` + hashesRule + `)?$`)
	unlocked   = regexp.MustCompile(`^unlocked-dep=<` + packageRule + `(?:@` + rangeRule + `)?>$`)
	url        = regexp.MustCompile(`^url=<[^<>]*>(?:,` + hashesRule + `)?$`)
	integrity  = regexp.MustCompile(`^` + hashesRule + `$`)
	dependence = []*regexp.Regexp{locked, unlocked, url, integrity}
)

// nameForm is what a name is.
type nameForm uint8

const (
	plainName nameForm = iota
	constructorName
	methodName
	staticName
	interfaceName
	dependencyName
)

// name is the name of an import or export.
type name struct {
	form     nameForm
	resource string // of constructor, method and static
	// key is the canonical form: no two names with the same one stand beside each other.
	key string
	// version is of an interface, if versioned.
	version   string
	versioned bool
}

// parseName takes a name apart.
func parseName(s string) (name, bool) {
	if m := plain.FindStringSubmatch(s); m != nil {
		return plainOf(m), true
	}
	if m := iface.FindStringSubmatch(s); m != nil {
		return name{form: interfaceName, key: strings.ToLower(s), version: m[1], versioned: strings.Contains(s, "@")}, true
	}
	for _, r := range dependence {
		if r.MatchString(s) {
			return name{form: dependencyName, key: s}, true
		}
	}
	return name{}, false
}

// plainOf returns a plain name by the groups of its expression.
func plainOf(m []string) name {
	lower := strings.ToLower
	switch {
	case m[1] != "":
		return name{form: plainName, key: lower(m[1])}
	case m[2] != "":
		return name{form: constructorName, resource: m[2], key: "[constructor]" + lower(m[2])}
	}
	n := name{form: methodName, resource: m[4], key: lower(m[4] + "." + m[5])}
	if m[3] == "static" {
		n.form = staticName
	}
	if lower(m[4]) == lower(m[5]) {
		n.key = lower(m[4])
	}
	return n
}
