;; "b": it is another resource
(component
  (component $c (import "r" (type $r (sub resource))) (export "t" (type $r)))
  (import "x" (type $x (sub resource))) (import "y" (type $y (sub resource)))
  (instance $i (instantiate $c (with "r" (type $x))))
  (component $d (import "a" (type $a (sub resource))) (import "b" (type (eq $a))))
  (instance (instantiate $d (with "a" (type $i "t")) (with "b" (type $y)))))
