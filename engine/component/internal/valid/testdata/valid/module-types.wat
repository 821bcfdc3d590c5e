(component $c (core type $f (func (param i32)))
  (core type $m (module (alias outer $c $f (type $g)) (import "a" "f" (func (type $g))) (export "m" (memory 1 2)) (export "t" (table 1 funcref))))
  (import "m" (core module $m (type $m))))
