;; a function has 0 parameters, where 1 are needed
(component (component $c (import "f" (func (param "a" string)))) (import "f" (func $f)) (instance (instantiate $c (with "f" (func $f)))))
