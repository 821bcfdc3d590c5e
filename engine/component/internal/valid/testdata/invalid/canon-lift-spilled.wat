;; core function 0 is [i32 i32] -> [], where [] -> [i32] is to be lifted
(component (core module $m (func (export "f") (param i32 i32)) (memory (export "m") 1)) (core instance $i (instantiate $m))
  (func (result (tuple u8 u8)) (canon lift (core func $i "f") (memory (core memory $i "m")))))
