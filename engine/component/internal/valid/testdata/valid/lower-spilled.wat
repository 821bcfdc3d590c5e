(component (type $t (tuple u8 u8 u8 u8 u8 u8 u8 u8 u8)) (import "f" (func $f (param "a" $t) (param "b" $t)))
  (core module $mem (memory (export "m") 1)) (core instance $mem (instantiate $mem))
  (core func $l (canon lower (func $f) (memory (core memory $mem "m"))))
  (core module $m (import "" "f" (func (param i32)))) (core instance (instantiate $m (with "" (instance (export "f" (func $l)))))))
