;; where [i32 i64] -> [] is to be lifted
(component (core module $m (func (export "f") (param i32 f32))) (core instance $i (instantiate $m))
  (type $v' (variant (case "a" f32) (case "b" s64))) (export $v "v" (type $v'))
  (func (param "v" $v) (canon lift (core func $i "f"))))
