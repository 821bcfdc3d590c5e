;; core function 0 is [] -> [], where [] -> [f64] is to be lifted
(component (core module $m (func (export "f"))) (core instance $i (instantiate $m))
  (func (result f64) (canon lift (core func $i "f"))))
