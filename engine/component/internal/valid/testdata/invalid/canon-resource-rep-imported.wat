;; type 0 is no resource of this component
(component (import "r" (type $r (sub resource))) (core func (canon resource.rep $r)))
