;; is no resource of this component
(component (type $r (resource (rep i32))) (export $e "r" (type $r) (type (sub resource))) (core func (canon resource.new $e)))
