(component (type $r' (record (field "a" u8))) (import "r" (type $r (eq $r'))) (import "f" (func $f (param "a" $r)))
  (export "s" (type $r)) (export "g" (func $f)))
