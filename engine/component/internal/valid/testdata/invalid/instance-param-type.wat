;; "f": the parameter "a": it is a type u8, where string is needed
(component (component $c (import "f" (func (param "a" string)))) (import "f" (func $f (param "a" u8)))
  (instance (instantiate $c (with "f" (func $f)))))
