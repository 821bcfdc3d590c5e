;; a type is there on one side, and none on the other
(component (component $c (type $r (variant (case "a" u8))) (import "t" (type (eq $r)))) (type $r (variant (case "a")))
  (instance (instantiate $c (with "t" (type $r)))))
