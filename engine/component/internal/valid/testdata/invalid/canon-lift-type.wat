;; type 0 is not of a function
(component (core module $m (func (export "f"))) (core instance $i (instantiate $m)) (type $t u8)
  (alias core export $i "f" (core func $f)) (func (type $t) (canon lift (core func $f))))
