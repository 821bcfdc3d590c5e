;; two arguments have the name "f"
(component (component $c) (import "f" (func $f)) (instance (instantiate $c (with "f" (func $f)) (with "f" (func $f)))))
