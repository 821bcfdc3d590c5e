package native

import "slices"

// Environment is that of a program, whose folder for temporary files is tmp.
func Environment(s *Spec, tmp, assets string) []string {
	env := map[string]string{"PATH": defaultPath, "HOME": s.WorkDir, "TMPDIR": tmp}
	for k, v := range s.Env {
		env[k] = v
	}
	env[EnvAssets] = assets
	out := make([]string, 0, len(env))
	for k, v := range env {
		out = append(out, k+"="+v)
	}
	slices.Sort(out)
	return out
}
