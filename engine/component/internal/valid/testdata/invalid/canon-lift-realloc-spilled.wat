;; the function needs a realloc function
(component (core module $m (func (export "f") (param i32)) (memory (export "m") 1)) (core instance $i (instantiate $m))
  (type $t (tuple u8 u8 u8 u8 u8 u8 u8 u8 u8)) (func (param "a" $t) (param "b" $t) (canon lift (core func $i "f") (memory (core memory $i "m")))))
