(component (type $f (func (param "a" u8))) (type $i (instance (export "f" (func)))) (type $c (component (import "f" (func)))) (type $u u8)
  (export "f" (type $f)) (export "i" (type $i)) (export "c" (type $c)) (export "u" (type $u)) (core module $m) (export "m" (core module $m)))
