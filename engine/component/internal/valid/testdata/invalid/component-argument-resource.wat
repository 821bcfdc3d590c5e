;; "d": "t": it is another resource
(component
  (component $c (import "r" (type $r (sub resource)))
    (type $D (component (alias outer 1 $r (type $q)) (export "t" (type (eq $q)))))
    (import "d" (component $d (type $D))))
  (import "s" (type $s (sub resource))) (import "u" (type $u (sub resource)))
  (type $D (component (alias outer 1 $u (type $q)) (export "t" (type (eq $q)))))
  (import "d" (component $d (type $D)))
  (instance (instantiate $c (with "r" (type $s)) (with "d" (component $d)))))
