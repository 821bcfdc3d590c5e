package cli

import (
	"fmt"
	"path/filepath"

	"github.com/spf13/pflag"

	"github.com/realm-mesh/realm/internal/kit/config"
)

// edgeFlags are the settings of what a node with the role edge serves.
type edgeFlags struct {
	listen, tlsListen      string
	certs, keys            []string
	directory, email, root string
}

func (e *edgeFlags) declare(f *pflag.FlagSet) {
	f.StringVar(&e.listen, "edge-listen", "", "HOST:PORT where a node with the role edge serves what is public (default "+config.DefaultEdgeListen+"); with certificates, where it sends clients to HTTPS")
	f.StringVar(&e.tlsListen, "edge-tls-listen", "", "HOST:PORT where it serves that with certificates (default "+config.DefaultEdgeTLSListen+")")
	f.StringArrayVar(&e.certs, "edge-cert", nil, "file of a certificate (PEM, the whole chain), read again when it changes; may be repeated")
	f.StringArrayVar(&e.keys, "edge-key", nil, "file of its key (PEM); one for each --edge-cert, in the same order")
	f.StringVar(&e.directory, "acme-directory", "", "get certificates by ACME for the hosts of public routes: letsencrypt, letsencrypt-staging, or the URL of a directory; its terms are agreed to")
	f.StringVar(&e.email, "acme-email", "", "whom the certificate authority may write to")
	f.StringVar(&e.root, "acme-root", "", "file of the certificates (PEM) that the directory itself is trusted by (default: those of the system)")
}

func (e *edgeFlags) over(c *config.Node, given func(flag string) bool) error {
	for _, s := range []struct {
		flag  string
		value string
		to    *string
	}{
		{"edge-listen", e.listen, &c.EdgeListen}, {"edge-tls-listen", e.tlsListen, &c.EdgeTLSListen},
		{"acme-directory", e.directory, &c.ACMEDirectory}, {"acme-email", e.email, &c.ACMEEmail},
	} {
		if given(s.flag) {
			*s.to = s.value
		}
	}
	for _, s := range []struct {
		flag  string
		value []string
		to    *[]string
	}{{"edge-cert", e.certs, &c.EdgeCerts}, {"edge-key", e.keys, &c.EdgeKeys}} {
		if !given(s.flag) {
			continue
		}
		files, err := absolute(someOf(s.value))
		if err != nil {
			return fmt.Errorf("--%s: %w", s.flag, err)
		}
		*s.to = files
	}
	if !given("acme-root") {
		return nil
	}
	c.ACMERoot = e.root
	if e.root == "" {
		return nil
	}
	root, err := filepath.Abs(e.root)
	if err != nil {
		return fmt.Errorf("--acme-root: %w", err)
	}
	c.ACMERoot = root
	return nil
}

// someOf leaves out what takes a list back: one empty text.
func someOf(all []string) []string {
	if len(all) == 1 && all[0] == "" {
		return nil
	}
	return all
}

// edgeView is those settings in JSON, by their names in config.toml.
type edgeView struct {
	EdgeListen    string   `json:"edge_listen,omitempty"`
	EdgeTLSListen string   `json:"edge_tls_listen,omitempty"`
	EdgeCerts     []string `json:"edge_certs,omitempty"`
	EdgeKeys      []string `json:"edge_keys,omitempty"`
	ACMEDirectory string   `json:"acme_directory,omitempty"`
	ACMEEmail     string   `json:"acme_email,omitempty"`
	ACMERoot      string   `json:"acme_root,omitempty"`
}

func newEdgeView(c config.Node) edgeView {
	return edgeView{c.EdgeListen, c.EdgeTLSListen, c.EdgeCerts, c.EdgeKeys, c.ACMEDirectory, c.ACMEEmail, c.ACMERoot}
}

// edgeRows are those that are set, for people.
func edgeRows(c config.Node) (rows [][2]string) {
	add := func(key, value string) {
		if value != "" {
			rows = append(rows, [2]string{key, value})
		}
	}
	add("edge_listen", c.EdgeListen)
	add("edge_tls_listen", c.EdgeTLSListen)
	for i := range c.EdgeCerts {
		add("edge_certs", c.EdgeCerts[i])
		add("edge_keys", c.EdgeKeys[i])
	}
	add("acme_directory", c.ACMEDirectory)
	add("acme_email", c.ACMEEmail)
	add("acme_root", c.ACMERoot)
	return rows
}
