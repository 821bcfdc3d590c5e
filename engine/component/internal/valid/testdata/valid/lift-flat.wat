(component (core module $m (func (export "f") (param i32 i64 f32 f64 i32 i64) (result f32) unreachable)) (core instance $i (instantiate $m))
  (type $v' (variant (case "a" f32) (case "b" u64))) (export $v "v" (type $v'))
  (func (param "a" bool) (param "b" s64) (param "c" f32) (param "d" f64) (param "e" $v) (result f32) (canon lift (core func $i "f"))))
