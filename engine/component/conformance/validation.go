package main

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/realm-mesh/realm/engine/component/internal/binary"
	"github.com/realm-mesh/realm/engine/component/internal/valid"
)

// validRule is a rule of what components are valid. Breaks and keeps are patterns of the names of
// components in validFolder that break it and that keep it.
type validRule struct {
	section, text string
	breaks, keeps []string
}

const validFolder = "component/internal/valid/testdata"

// names is a list of patterns.
func names(s string) []string { return strings.Fields(s) }

// validRules are the rules of the specification's Binary.md and Explainer.md that a component of
// WASI 0.2 can break.
func validRules() []validRule {
	return []validRule{
		{"Index spaces", "an index is of something that is defined before it, in its own index space", names("index-*"), names("aliases core-aliases types")},
		{"Index spaces", "components within a component are valid, too", names("nested-invalid"), names("component-argument")},
		{"Core instances", "each import of a core module has one argument, and each argument is for one name", names("core-instance-missing-argument core-instance-two-arguments core-instance-missing-export"), names("core-instances command")},
		{"Core instances", "what satisfies an import is of its kind: function, table, memory or global", names("core-instance-kind core-bundle-sort"), names("core-instances core-bundle")},
		{"Core instances", "functions have the type of the import, and globals its type and whether they change", names("core-instance-function-type core-instance-global-* command-fixup"), names("core-instances command")},
		{"Core instances", "tables and memories are within the limits of the import, and of its type", names("core-instance-memory-* core-instance-table-*"), names("core-instances")},
		{"Core instances", "an inline core instance has each name once", names("core-bundle-same-name"), names("core-bundle")},
		{"Core instances", "core modules that components instantiate have each import once", names("core-module-same-imports"), names("core-instances")},
		{"Instances", "each import of a component has one argument of its sort", names("instance-missing-argument instance-two-arguments instance-sort"), names("component-argument instance-of-instances")},
		{"Instances", "an instance that is an argument has all exports that are needed", names("instance-export-missing"), names("ascribed-less")},
		{"Instances", "a function that is an argument has the parameters, names and result that are needed", names("instance-param-* instance-result"), names("component-argument record-argument-keeps-name")},
		{"Instances", "types of values are equal in structure: fields, cases, names, flags", names("instance-record instance-enum instance-flags instance-case-type"), names("types types-shared")},
		{"Instances", "resources are equal only to themselves, and to what they were substituted for", names("instance-resource*"), names("instance-resource exported-resource-in-instances")},
		{"Instances", "a component that is an argument needs no more than is given to it, and exports what is needed", names("component-argument-*"), names("component-argument*")},
		{"Instances", "a core module that is an argument imports no more than is given to it, and exports what is needed", names("module-argument-*"), names("module-arguments")},
		{"Instances", "an inline instance has each name once", names("name-same-inline"), names("instance-of-instances")},
		{"Aliases", "an alias of an export names one that is there, of its sort", names("alias-missing alias-sort core-alias-*"), names("aliases core-aliases")},
		{"Aliases", "an alias of something outside counts no more components than there are around", names("alias-outer-count"), names("aliases")},
		{"Aliases", "an alias of something outside is of a type, a core type, a module or a component", names("alias-func-in-type alias-outer-module-in-type"), names("aliases")},
		{"Aliases", "a component refers to no resource of the one around it", names("alias-outer-resource*"), names("alias-resource-in-type")},
		{"Types", "records, variants, enums, flags and tuples are not empty", names("type-record-empty type-variant-empty type-enum-empty type-flags-empty type-tuple-empty"), names("types")},
		{"Types", "fields, cases, names of flags and parameters are there once, whatever their letters' case", names("type-*-same-name"), names("types")},
		{"Types", "labels are in kebab case", names("type-kebab-*"), names("types names")},
		{"Types", "there are 32 flags at most", names("type-flags-33"), names("flags-32")},
		{"Types", "a reference is of a type of its form: of values, functions, instances, components or resources", names("type-component-form type-component-in-func type-instance-form type-of-values type-param-component type-own-record"), names("types exports-of-types")},
		{"Types", "no result of a function has a borrow in it", names("type-borrow-*"), names("resource-imported names-of-resources")},
		{"Types", "types of instances and components define no resources", names("type-resource-in-type"), names("component-type-closed")},
		{"Types", "the destructor of a resource takes its rep, and returns nothing", names("type-destructor"), names("resource-defined")},
		{"Types", "a type is not beyond the size that the host allows", names("type-too-large"), names("types-shared")},
		{"Core types", "a type of modules has each import and export once", names("module-type-same-*"), names("module-types")},
		{"Core types", "what it refers to is a type of functions, in itself or the one around it", names("module-type-index module-type-alias-*"), names("module-types module-type-alias-own")},
		{"Core types", "limits are in order, and memories no larger than 4 GiB", names("module-type-limits module-type-memory-size"), names("module-types")},
		{"Canonical definitions", "what is lifted has the core type of the function", names("canon-lift-params canon-lift-results canon-lift-spilled canon-lift-variant canon-lift-type"), names("lift lift-flat lift-joined lift-spilled")},
		{"Canonical definitions", "who lifts gives a memory and a realloc, if they are needed", names("canon-lift-memory* canon-lift-realloc*"), names("lift lift-flat lift-spilled")},
		{"Canonical definitions", "who lowers gives a memory and a realloc, if they are needed", names("canon-lower-memory* canon-lower-realloc canon-lower-arguments-spilled"), names("lower lower-spilled")},
		{"Canonical definitions", "what was lowered has the core type of the function", names("canon-lower-signature"), names("lower lower-spilled")},
		{"Canonical definitions", "realloc has its type, and comes with a memory", names("canon-realloc-*"), names("lift lower")},
		{"Canonical definitions", "post-return has the results of the core function for parameters, and is of what is lifted", names("canon-post-return-type canon-lower-post-return"), names("lift")},
		{"Canonical definitions", "resource.drop is of a resource, resource.new and resource.rep of one that the component defines", names("canon-resource-*"), names("resource-defined resource-imported")},
		{"Imports and exports", "what is imported or exported is no core definition but a module", names("export-core import-module-type"), names("module-arguments exports-of-types")},
		{"Imports and exports", "the type that is said to be exported is a supertype of what is", names("ascribe-*"), names("ascribed ascribed-less ascribe-resource")},
		{"Imports and exports", "what refers to resources refers to such as are imported or exported, too", names("import-of-local-resource export-of-local-resource"), names("exported-resource-in-instances")},
		{"Imports and exports", "types that functions refer to are imported or exported by name", names("visible-*"), names("visible-*")},
		{"Names", "a name is a label, or that of an interface, with the annotations that there are", names("name-annotation name-camel name-empty name-hash name-url name-interface-*"), names("names")},
		{"Names", "dependencies and addresses are no names of exports", names("name-export-*"), names("names")},
		{"Names", "names are there once, whatever their letters' case, methods beside functions", names("name-same-export name-same-import name-same-interface name-same-method name-method-like-resource"), names("same-name-in-and-out names-of-resources")},
		{"Names", "versions are semantic, and suffixes of versions make one with what they are a suffix of", names("name-version-* version-suffix-*"), names("names version-suffix")},
		{"Names", "what implements an interface is an instance with a plain name", names("implements-*"), names("implements")},
		{"Names", "a constructor returns an own of its resource, or a result with one", names("constructor-*"), names("constructor-fallible names-of-resources")},
		{"Names", "a method takes a borrow of its resource first, named self", names("method-*"), names("names-of-resources")},
		{"Names", "methods and static functions are of a resource that has a name beside them", names("static-unknown method-unnamed"), names("names-of-resources")},
	}
}

// validated is what came of the components of a folder: those that are as they must be.
type validated struct{ right, wrong []string }

// matching are the names that a pattern is of.
func (v *validated) matching(patterns []string) (out []string) {
	for _, name := range v.right {
		if slices.ContainsFunc(patterns, func(p string) bool { ok, _ := path.Match(p, name); return ok }) {
			out = append(out, name)
		}
	}
	return out
}

// validate checks all components of a folder: "valid", or "invalid", in which the first line of each text
// says for what reason it is refused.
func validate(files fs.FS, folder string) (*validated, error) {
	paths, err := fs.Glob(files, path.Join(validFolder, folder, "*.wat"))
	if err != nil || len(paths) == 0 {
		return nil, fmt.Errorf("find components in %s: %w", folder, err)
	}
	out := &validated{}
	for _, p := range paths {
		text, err := fs.ReadFile(files, p)
		if err != nil {
			return nil, fmt.Errorf("read component: %w", err)
		}
		wasm, err := fs.ReadFile(files, strings.TrimSuffix(p, ".wat")+".wasm")
		if err != nil {
			return nil, fmt.Errorf("read component: %w", err)
		}
		line, _, _ := strings.Cut(string(text), "\n")
		name, err := strings.TrimSuffix(path.Base(p), ".wat"), check(wasm)
		refusal := new(binary.Error)
		if refused := errors.As(err, &refusal); refused != (folder == "invalid") || refused && !strings.Contains(refusal.Reason, strings.TrimPrefix(line, ";; ")) {
			out.wrong = append(out.wrong, fmt.Sprintf("%s/%s: %v", folder, name, err))
			continue
		}
		out.right = append(out.right, name)
	}
	return out, nil
}

func check(wasm []byte) error {
	c, err := binary.Decode(wasm, binary.DefaultCaps())
	if err != nil {
		return err
	}
	return valid.Check(c, binary.DefaultCaps())
}
