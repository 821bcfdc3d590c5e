;; "f": the function refers to a type that is not exported
(component (core module $m (func (export "f") (param i32))) (core instance $i (instantiate $m)) (type $r (flags "a"))
  (func $f (param "a" $r) (canon lift (core func $i "f"))) (export "f" (func $f)))
