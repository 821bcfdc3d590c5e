;; a function cannot implement an interface
(component (import "a" (implements "a:b/c") (func)))
