;; a core module has two imports "a" "f"
(component (core module (import "a" "f" (func)) (import "a" "f" (func))))
