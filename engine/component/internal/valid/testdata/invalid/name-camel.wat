;; "fooBar" is no name of an import or export
(component (import "fooBar" (func)))
