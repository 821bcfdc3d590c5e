;; the first parameter of a method is not "self", a borrow
(component (import "r" (type $r (sub resource))) (import "[method]r.m" (func (param "self" (own $r)))))
