;; core function 0 is [] -> [], where [i32] -> [] is to be lifted
(component (core module $m (func (export "f"))) (core instance $i (instantiate $m))
  (func (param "a" u8) (canon lift (core func $i "f"))))
