;; it has the name "b", where "a" is needed
(component (component $c (type $r (record (field "a" u8))) (import "t" (type (eq $r)))) (type $r (record (field "b" u8)))
  (instance (instantiate $c (with "t" (type $r)))))
