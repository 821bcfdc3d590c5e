(component
  (component $c (type $r' (record (field "a" u8))) (import "t" (type $r (eq $r'))) (import "f" (func $f (result $r))) (export "f" (func $f)))
  (type $r (record (field "a" u8))) (import "t" (type $t (eq $r))) (import "f" (func $f (result $t)))
  (instance $i (instantiate $c (with "t" (type $t)) (with "f" (func $f))))
  (alias export $i "f" (func $g)) (export "g" (func $g)))
