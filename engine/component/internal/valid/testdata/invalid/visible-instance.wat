;; "i": "f": the function refers to a type that is not exported
(component (core module $m (func (export "f") (param i32))) (core instance $c (instantiate $m)) (type $r (enum "a"))
  (func $f (param "a" $r) (canon lift (core func $c "f"))) (instance $i (export "f" (func $f))) (export "i" (instance $i)))
