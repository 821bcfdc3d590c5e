;; the function needs a memory
(component (core module $m (func (export "f") (result i32) unreachable)) (core instance $i (instantiate $m))
  (func (result string) (canon lift (core func $i "f"))))
