;; a parameter has the name "b", where "a" is needed
(component (component $c (import "f" (func (param "a" string)))) (import "f" (func $f (param "b" string)))
  (instance (instantiate $c (with "f" (func $f)))))
