;; the result of a constructor is of the resource "s", not "r"
(component (import "r" (type $r (sub resource))) (import "s" (type $s (sub resource))) (import "[constructor]r" (func (result (own $s)))))
