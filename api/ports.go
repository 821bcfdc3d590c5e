package api

import (
	"slices"
	"strings"
)

// FindPort is the port of that name, or for [AnyPort] the one that speaks HTTP; false: there
// is none, or it is not of TCP.
func FindPort(all []Port, name Name) (p Port, ok bool) {
	for _, fits := range []func(Port) bool{
		func(p Port) bool { return p.Name == name },
		func(p Port) bool { return name == AnyPort && (p.Name == "http" || p.Name == "web") },
		func(p Port) bool { return name == AnyPort && p.Protocol == "http" },
		func(p Port) bool { return name == AnyPort },
	} {
		if i := slices.IndexFunc(all, func(p Port) bool { return p.Protocol != "udp" && fits(p) }); i >= 0 {
			return all[i], true
		}
	}
	return Port{}, false
}

// EnvPort is the variable that tells a program on which port it is to listen.
func EnvPort(name Name) string {
	return "REALM_PORT_" + strings.ToUpper(strings.ReplaceAll(string(name), "-", "_"))
}
