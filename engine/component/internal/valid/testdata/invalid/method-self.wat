;; the first parameter of a method is not "self"
(component (import "r" (type $r (sub resource))) (import "[method]r.m" (func (param "this" (borrow $r)))))
