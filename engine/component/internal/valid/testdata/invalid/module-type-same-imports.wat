;; a core module has two imports "a" "b"
(component (core type (module (import "a" "b" (func)) (import "a" "b" (func)))))
