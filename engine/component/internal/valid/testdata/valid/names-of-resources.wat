(component (import "r" (type $r (sub resource)))
  (import "[constructor]r" (func (param "a" u8) (result (own $r))))
  (import "[method]r.m" (func (param "self" (borrow $r))))
  (import "[static]r.s" (func (result u8))))
