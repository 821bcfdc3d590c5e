(component (core module $m (func (export "d") (param i32))) (core instance $i (instantiate $m)) (alias core export $i "d" (core func $d))
  (type $r (resource (rep i32) (dtor (core func $d))))
  (core func (canon resource.new $r)) (core func (canon resource.rep $r)) (core func (canon resource.drop $r)))
