;; is no resource of this component
(component (component $a (type $r (resource (rep i32))) (export "r" (type $r))) (instance $i (instantiate $a))
  (alias export $i "r" (type $r)) (core func (canon resource.new $r)))
