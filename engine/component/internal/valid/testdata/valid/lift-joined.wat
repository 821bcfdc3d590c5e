(component (core module $m (func (export "f") (param i32 i32 i32 f32 i32 i64 i32 i64))) (core instance $i (instantiate $m))
  (func (param "a" (result f32 (error u32))) (param "b" (result f32 (error f32))) (param "c" (result f64 (error f32))) (param "d" (result u8 (error f64)))
    (canon lift (core func $i "f"))))
