;; is of a resource that has no name beside it
(component (import "i" (instance $i (export "r" (type (sub resource))))) (alias export $i "r" (type $r))
  (import "[method]r.m" (func (param "self" (borrow $r)))))
