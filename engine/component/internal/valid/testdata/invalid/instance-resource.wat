;; "f": the parameter "a": it is another resource
(component
  (component $c (import "r" (type $r (sub resource))) (import "f" (func (param "a" (own $r)))))
  (import "r" (type $r (sub resource))) (import "s" (type $s (sub resource)))
  (import "f" (func $f (param "a" (own $s))))
  (instance (instantiate $c (with "r" (type $r)) (with "f" (func $f)))))
