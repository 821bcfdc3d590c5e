;; a type is there on one side, and none on the other
(component (component $c (import "f" (func (result string)))) (import "f" (func $f)) (instance (instantiate $c (with "f" (func $f)))))
