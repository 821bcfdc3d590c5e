(component (core module $m (func (export "f") (param i32))) (core instance $i (instantiate $m)) (type $r' (resource (rep i32)))
  (func $f (param "a" (own $r')) (canon lift (core func $i "f")))
  (export $r "r" (type $r')) (export "f" (func $f) (func (param "a" (own $r)))))
