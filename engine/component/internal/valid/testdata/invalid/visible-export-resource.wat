;; "f": the function refers to a type that is not exported
(component (core module $m (func (export "f") (param i32))) (core instance $i (instantiate $m)) (type $r (resource (rep i32)))
  (func $f (param "a" (own $r)) (canon lift (core func $i "f"))) (export "f" (func $f)))
