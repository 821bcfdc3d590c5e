;; core function 1 is not there
(component (core module $m (func (export "f"))) (core instance $i (instantiate $m))
  (func (canon lift (core func $i "f") (post-return (core func 1)))))
