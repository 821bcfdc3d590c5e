;; an export refers to a resource that is not exported
(component $c (type $r (resource (rep i32))) (type $i (instance (alias outer $c $r (type $q)) (export "t" (type (eq $q))))) (export "i" (type $i)))
