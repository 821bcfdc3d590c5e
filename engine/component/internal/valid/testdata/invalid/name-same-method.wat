;; "[static]r.m": the name is there already, as "[method]r.m"
(component (import "r" (type $r (sub resource))) (import "[method]r.m" (func (param "self" (borrow $r)))) (import "[static]r.m" (func)))
