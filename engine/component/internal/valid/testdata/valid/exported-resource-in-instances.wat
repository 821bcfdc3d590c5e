(component (type $r' (resource (rep i32))) (instance $in (export "r" (type $r'))) (instance $out (export "in" (instance $in))) (export $e "out" (instance $out))
  (alias export $e "in" (instance $i)) (alias export $i "r" (type $r))
  (core module $m (func (export "f") (param i32))) (core instance $c (instantiate $m))
  (func $f (param "a" (own $r)) (canon lift (core func $c "f"))) (export "f" (func $f)))
