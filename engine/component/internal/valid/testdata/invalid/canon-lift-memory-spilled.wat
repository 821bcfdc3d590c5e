;; the function needs a memory
(component (core module $m (func (export "f") (result i32) unreachable)) (core instance $i (instantiate $m))
  (func (result (tuple u8 u8)) (canon lift (core func $i "f"))))
