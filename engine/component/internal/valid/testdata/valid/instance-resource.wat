(component
  (component $a (type $r (resource (rep i32))) (export "r" (type $r)))
  (instance $one (instantiate $a))
  (component $c (import "r" (type $r (sub resource))) (import "s" (type (eq $r))) (export "t" (type $r)))
  (instance $i (instantiate $c (with "r" (type $one "r")) (with "s" (type $one "r"))))
  (component $d (import "a" (type $a (sub resource))) (import "b" (type (eq $a))))
  (instance (instantiate $d (with "a" (type $i "t")) (with "b" (type $one "r")))))
