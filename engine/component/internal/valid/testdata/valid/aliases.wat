(component $c (core module $m) (component $d) (type $t (list u8)) (core type $f (func))
  (component (alias outer $c $m (core module)) (alias outer $c $d (component)) (alias outer $c $t (type $u)) (alias outer $c $f (core type)) (export "t" (type $u)))
  (import "i" (instance $i (export "f" (func)) (export "t" (type (sub resource)))))
  (alias export $i "f" (func $g)) (alias export $i "t" (type $r)) (export "g" (func $g)))
